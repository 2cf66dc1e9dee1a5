// Dates, numbers and names in the ways of the user's own locale.

const locales = navigator.languages;
const dayLength = 86_400_000;
const dates = (options) => new Intl.DateTimeFormat(locales, options);

const count = new Intl.NumberFormat(locales);
const clock = dates({ timeStyle: 'short' });
const weekday = dates({ weekday: 'long' });
const shortDate = dates({ dateStyle: 'short' });
const longDate = dates({ weekday: 'long', day: 'numeric', month: 'long' });
const longDateYear = dates({ dateStyle: 'long' });
const moment = dates({ dateStyle: 'full', timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat(locales, { numeric: 'auto' });
const graphemes = new Intl.Segmenter();

export const compareNames = new Intl.Collator(locales, { sensitivity: 'base', numeric: true }).compare;
export const formatCount = (n) => count.format(n);
export const formatTime = (ms) => clock.format(ms);
export const formatMoment = (ms) => moment.format(ms);

// The number of the calendar day in the user's time zone.
export function dayOf(ms) {
  const date = new Date(ms);
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / dayLength);
}

// For the list of conversations: as short as can be.
export function formatWhen(ms, now) {
  const age = dayOf(now) - dayOf(ms);
  if (age <= 0) return clock.format(ms);
  return age === 1 ? relativeDay(age) : (age < 7 ? weekday : shortDate).format(ms);
}

// For the lines between days.
export function formatDay(ms, now) {
  const age = dayOf(now) - dayOf(ms);
  if (age === 0 || age === 1) return relativeDay(age);
  return (age < 300 ? longDate : longDateYear).format(ms);
}

function relativeDay(age) {
  const text = relative.format(-age, 'day');
  return text[0].toLocaleUpperCase(locales) + text.slice(1);
}

const split = (text) => Array.from(graphemes.segment(text), ({ segment }) => segment);

// One or two letters for the picture of somebody who has none.
export function initials(name) {
  const words = name.trim().split(/\s+/).filter((word) => /^[\p{L}\p{Extended_Pictographic}]/u.test(word));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => split(word)[0].toLocaleUpperCase(locales)).join('');
}

// One to three emoji and nothing else.
export function isJumbo(text) {
  return text.length < 40 && /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\u200d\ufe0f]+$/u.test(text)
    && split(text).length <= 3;
}

// A test for texts and numbers that contain every word of the query; "jose" finds "José", "0171 2" finds digits.
export function matcher(query) {
  const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (!words.length) return () => true;
  const digits = query.replace(/[\s\-.()+]|^00?/g, '');
  return (number, ...texts) => {
    const all = fold(texts.join('\n'));
    return words.every((word) => all.includes(word)) || (/^\d{2,}$/.test(digits) && number.includes(digits));
  };
}
