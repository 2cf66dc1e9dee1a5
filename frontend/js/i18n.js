// Finds a text, in the plural form that its number n needs, and fills in what varies.

import { formatCount } from './format.js';
import { texts } from './texts.js';

const plural = new Intl.PluralRules(texts.language);

export function t(name, values = {}) {
  const text = texts[name].other ? texts[name][plural.select(values.n)] ?? texts[name].other : texts[name];
  return text.replace(/\{(\w+)\}/g, (_, key) => (key === 'n' ? formatCount(values.n) : values[key]));
}
