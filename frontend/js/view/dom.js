// Makes and updates elements. Text only ever becomes text nodes: nothing from outside can turn into markup.

const svg = 'http://www.w3.org/2000/svg';

// A description of an element. Properties: on… are listeners, style an object, key tells siblings apart, others attributes.
// Children may be nested lists; what is null, false or '' is left out.
export const h = (tag, props, ...kids) => ({
  tag,
  props: props ?? {},
  kids: kids.flat(3).filter(Boolean).map((kid) => (kid.tag || kid.nodeType ? kid : String(kid))),
});

// An element from its description, for what is made once.
export const make = (kid) => update(create(kid), kid);

// Makes these the children of parent. Elements of before are kept where tag and key fit, with focus, scroll and playing films.
export function patch(parent, ...kids) {
  const pool = [...parent.childNodes];
  const nodes = h('', null, kids).kids.map((kid) => {
    const index = pool.findIndex((node) => fits(node, kid));
    return update(index < 0 ? create(kid) : pool.splice(index, 1)[0], kid);
  });
  for (const node of pool) node.remove();
  const focused = document.activeElement;
  nodes.forEach((node, i) => {
    if (parent.childNodes[i] !== node) parent.insertBefore(node, parent.childNodes[i] ?? null);
  });
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function fits(node, kid) {
  if (kid.nodeType) return node === kid;
  return kid.tag ? node.localName === kid.tag && node.key === kid.props.key : node.nodeType === Node.TEXT_NODE;
}

function create(kid) {
  if (kid.nodeType) return kid;
  if (!kid.tag) return document.createTextNode(kid);
  return /^(svg|path)$/.test(kid.tag) ? document.createElementNS(svg, kid.tag) : document.createElement(kid.tag);
}

function update(node, kid) {
  if (!kid.tag) {
    if (!kid.nodeType && node.data !== kid) node.data = kid;
    return node;
  }
  const { props } = kid;
  for (const name in { ...node.props, ...props }) {
    const value = props[name] ?? false;
    // A listener of this kind that returned false would undo what the browser does.
    if (name.startsWith('on')) node[name] = props[name] && ((event) => { props[name](event); });
    else if (name === 'key') node.key = value || undefined;
    else if (name === 'style') Object.entries(value).forEach((pair) => node.style.setProperty(...pair));
    else if ((node.props?.[name] ?? false) === value) continue;
    else if (value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.props = props;
  patch(node, kid.kids);
  return node;
}

const shapes = {
  compose: 'M5 19l1-4L16 5a2 2 0 0 1 3 3L9 18zM14 20h6',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM20 20l-5-5',
  back: 'M15 5l-7 7 7 7',
  down: 'M5 9l7 7 7-7',
  close: 'M6 6l12 12M18 6L6 18',
  send: 'M5 12h13M12 5l7 7-7 7',
  tick: 'M5 12.5l4.5 4.5L19 7.5',
  ticks: 'M1.5 12.5L6 17l8.5-9M11 16l1 1 9.5-9.5',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
  alert: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.5V13M12 16v.3',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0',
  personAdd: 'M9.5 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2.5 20a7 7 0 0 1 14 0M19 8v6M16 11h6',
  file: 'M14 3H6v18h12V7zM14 3v4h4',
  chat: 'M6 5h12a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7l-4 4v-4H6a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z',
};

export const icon = (name, label) => h('svg', {
  key: name, viewBox: '0 0 24 24', class: `icon icon-${name}`,
  role: label && 'img', 'aria-label': label, 'aria-hidden': !label && 'true',
}, h('path', { d: shapes[name] }));

export const iconButton = (name, label, onclick, className = '') => h('button', {
  type: 'button', 'aria-label': label, title: label, class: `icon-button ${className}`, onclick,
}, icon(name));

// Text that only a screen reader says.
export const spoken = (text) => h('span', { class: 'spoken' }, text);
