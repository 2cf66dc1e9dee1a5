// Words, dates, numbers and names as the user reads them.

import { texts } from './texts.js';
import { countryLength, isNumber } from './typed.js';

const locales = navigator.languages;
const dates = (options) => new Intl.DateTimeFormat(locales, options).format;
const weekday = dates({ weekday: 'long' });
const shortDate = dates({ dateStyle: 'short' });
const longDate = dates({ weekday: 'long', day: 'numeric', month: 'long' });
const longDateYear = dates({ dateStyle: 'long' });
const relative = new Intl.RelativeTimeFormat(locales, { numeric: 'auto' });
const plural = new Intl.PluralRules(texts.language);

export const compareNames = new Intl.Collator(locales, { sensitivity: 'base', numeric: true }).compare;
export const formatCount = new Intl.NumberFormat(locales).format;
export const formatTime = dates({ timeStyle: 'short' });

// A text in its number's plural form, filled in.
export function t(name, values = {}) {
	const text = texts[name][plural.select(values.n ?? 0)] ?? texts[name].other ?? texts[name];
	return text.replace(/\{(\w+)\}/g, (_, key) => (key === 'n' ? formatCount(values.n) : values[key]));
}

export const startOfDay = (ms) => new Date(ms).setHours(0, 0, 0, 0);
const daysAgo = (ms) => Math.round((startOfDay(Date.now()) - startOfDay(ms)) / 86_400_000);

const upperCase = (text) => text.toLocaleUpperCase(locales);

// The day in words; brief: as short as can be, and the time for today.
export function formatDay(ms, brief) {
	const age = daysAgo(ms);
	if (brief && age <= 0) return formatTime(ms);
	if (age === 0 || age === 1) return relative.format(-age, 'day').replace(/^./u, upperCase);
	return (brief ? (age < 7 ? weekday : shortDate) : age < 300 ? longDate : longDateYear)(ms);
}

// One or two letters for the picture of somebody who has none.
export function initials(name) {
	const letters = name.match(/(?<!\S)\p{L}\p{M}*/gu) ?? [];
	return upperCase(letters.length > 1 ? letters[0] + letters.at(-1) : letters.join(''));
}

const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase(); // "José" is found by "jose"

export function matcher(query) {
	const words = fold(query).split(/\s+/);
	return (...texts) => !query || words.every((word) => fold(texts.join('\n')).includes(word));
}

export function formatNumber(number) {
	if (!isNumber(number)) return number;
	const digits = number.slice(1);
	const length = countryLength(digits);
	return `+${digits.slice(0, length)} ${digits.slice(length).replace(/\d{3}(?=\d\d)/g, '$& ')}`.trim();
}
