// Reads phone numbers as the server does, and spaces them out for people.

const twoDigitCodes = /^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

export const isNumber = (text) => /^\+[1-9][0-9]{1,14}$/.test(text);

// The number as the API wants it, or null. 00 in front is how many people write +.
export function parseNumber(text) {
  const plain = text.replace(/^\s*whatsapp:/i, '').replace(/[\s\-.()\u200e\u200f\u2066-\u2069]/g, '').replace(/^00/, '+');
  return isNumber(plain) ? plain : null;
}

export function formatNumber(number) {
  if (!isNumber(number)) return number;
  const digits = number.slice(1);
  const codeLength = /^[17]/.test(digits) ? 1 : twoDigitCodes.test(digits) ? 2 : 3;
  return [`+${digits.slice(0, codeLength)}`, ...digits.slice(codeLength).match(/\d{3}(?=\d\d)|\d+/g) ?? []].join(' ');
}
