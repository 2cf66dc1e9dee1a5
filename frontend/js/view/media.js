// Shows what comes with a text: its links, and attachments as a picture, a film, a sound or a file.

import { t } from '../i18n.js';
import { h, icon } from './dom.js';

const outside = (href, className, ...kids) => h('a', {
  href, class: className, target: '_blank', rel: 'noopener noreferrer',
}, ...kids);

// A sentence's full stop is no part of the address, nor is a bracket that was opened before it.
export function linkify(text) {
  return text.split(/(\bhttps?:\/\/[^\s<>"']*[^\s<>"'.,;:!?…)])/i).map((part, i) => (i % 2 ? outside(part, null, part) : part));
}

export function attachment({ url, contentType = '' }) {
  const address = URL.canParse(url, document.baseURI) ? new URL(url, document.baseURI) : {};
  const type = contentType.split('/')[0];
  // Only our own server may be asked without a click; the page's policy says the same.
  const own = address.origin === location.origin;
  const { href: src } = address;
  if (own && type === 'video') return h('video', { src, controls: true, preload: 'metadata', 'aria-label': t('video') });
  if (own && type === 'audio') return h('audio', { src, controls: true, preload: 'none', 'aria-label': t('audio') });
  const label = t(type === 'image' ? 'picture' : 'file');
  const inside = [icon('file'), h('span', null, label), h('small', { dir: 'auto' }, contentType)];
  if (!/^https?:$/.test(address.protocol)) return h('span', { class: 'file' }, inside);
  if (!own || type !== 'image') return outside(src, 'file', inside);
  const onerror = ({ target }) => { target.parentNode.className = 'file'; };
  return outside(src, 'picture', h('img', { src, alt: label, loading: 'lazy', onerror }), inside);
}
