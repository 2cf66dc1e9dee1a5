// What people type and copy, read as the server reads it (mod_whatsapp/base/phone.h and unicode.h; tests/number-vectors.json).

// Formatting and whatever else nobody sees; of the formatting characters a few are drawn.
const drawn = '\\u0600-\\u0605\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u{110bd}\\u{110cd}';
const invisible = `(?:(?![${drawn}])[\\p{Cf}\\p{DI}])`;
const unseen = new RegExp(`^(?:[\\p{Cc}\\p{Z}\\u2800\\u{1d159}]|${invisible})*$`, 'u');

const lineEnd = '[\\t-\\r\\u0085\\u2028\\u2029]';
// Spaces, dashes (not the wave dash: it means "up to"), dots, slashes, minus signs.
const separator = `(?:(?![\\u301c\\u3030])[\\p{Zs}\\p{Pd}]|[.·•․‧∙⋅．/⁄∕／˗⁃−\\u2800]|${invisible})`;
const opening = '[([（［]';
const closing = '[)\\]）］]';
const beginning = new RegExp(`^(?:${separator}|${lineEnd}|${opening}|${closing})*`, 'u');
const scheme = /^(?:whatsapp|tel):/i;
const plus = /^[+＋﹢]/;
const zeroInBrackets = new RegExp(`^${opening}${separator}*(0)(${separator}*${closing})?`, 'u');
const between = new RegExp(`^(?:${separator}|${opening}|${closing}|(${lineEnd}))`, 'u');

const twoDigitCountries = /^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;
// There numbers begin with 0 wherever they are dialled from; elsewhere (0) is for calls within the country.
const zeroForAll = new Set(['39', '225', '229', '242', '378']);

// How many of the digits are the country code.
export const countryLength = (digits) => (/^[17]/.test(digits) ? 1 : twoDigitCountries.test(digits) ? 2 : 3);

// The ten digits of a script follow each other, and where several sets do, each has ten.
function asciiDigit(digit) {
	let first = digit.codePointAt(0);
	const code = first;
	while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--;
	return String((code - first) % 10);
}

const plainDigits = (text) => text.replace(/\p{Nd}/gu, asciiDigit);

// True when there is nothing to see in the text.
export const isUnseen = (text) => unseen.test(text);

export const isNumber = (text) => /^\+[1-9][0-9]{1,14}$/.test(text);

// The number as the API has it, or null.
export function readNumber(text) {
	let rest = plainDigits(text).replace(beginning, '').replace(scheme, '').replace(beginning, '');
	if (!plus.test(rest)) return null;
	rest = rest.slice(1);
	let digits = '';
	let lineEnded = false; // only what is no digit may follow
	while (rest) {
		const [bracket, zero, only] = zeroInBrackets.exec(rest) ?? [];
		const isAfterCountry = digits && countryLength(digits) === digits.length;
		if (bracket && isAfterCountry && !zeroForAll.has(digits)) rest = rest.slice(bracket.indexOf(zero) + 1);
		else if (only && !isAfterCountry) return null;
		else if (/^[0-9]/.test(rest)) {
			if (lineEnded) return null;
			digits += rest[0];
			rest = rest.slice(1);
		} else {
			const [skipped, ending] = between.exec(rest) ?? [];
			if (!skipped) return null;
			lineEnded ||= Boolean(ending);
			rest = rest.slice(skipped.length);
		}
	}
	return isNumber(`+${digits}`) ? `+${digits}` : null;
}

// The same, and 00 in front is read as +: whoever types it sees the number that it becomes before anything is sent.
export function parseNumber(text) {
	return readNumber(text) ?? readNumber(plainDigits(text).replace(beginning, '').replace(/^00/, '+'));
}

// The digits of what may be a piece of a number, '' when it is none.
export function digitsOf(text) {
	const plain = plainDigits(text).replace(new RegExp(`${separator}|${lineEnd}|${opening}|${closing}|[+＋﹢]`, 'gu'), '');
	return /^[0-9]+$/.test(plain) ? plain : '';
}
