// Makes and updates elements. Text only ever becomes text nodes, never markup.

const svg = 'http://www.w3.org/2000/svg';
const flatten = (kids) => kids.flat(3).filter(Boolean);

// Describes an element: h('p.note', { dir: 'auto' }, …). on… are listeners, key tells siblings apart, style is an object.
// Children are descriptions, elements, texts and lists of them; what is null, false or '' is left out.
export function h(selector, props, ...kids) {
	const [tag, ...classes] = selector.split('.');
	return { tag, props: { ...(classes.length && { class: classes.join(' ') }), ...props }, kids: flatten(kids) };
}

export const make = (kid) => update(create(kid), kid);

// Makes these the children of parent; elements of before are kept where tag and key fit.
export function patch(parent, ...kids) {
	const pool = [...parent.childNodes];
	const focused = document.activeElement;
	const nodes = flatten(kids).map((kid) => {
		const index = pool.findIndex((node) => fits(node, kid));
		return update(index < 0 ? create(kid) : pool.splice(index, 1)[0], kid);
	});
	for (const node of pool) node.remove();
	nodes.forEach((node, i) => {
		if (parent.childNodes[i] !== node) parent.insertBefore(node, parent.childNodes[i] ?? null);
	});
	if (focused === document.activeElement) return;
	// What was moved lost the focus; of what is gone, what is around gets it.
	(focused.isConnected ? focused : parent.closest('[tabindex="0"]'))?.focus({ preventScroll: true });
}

function fits(node, kid) {
	if (kid.nodeType) return node === kid;
	return kid.tag ? node.localName === kid.tag && node.key === kid.props.key : node.nodeType === Node.TEXT_NODE;
}

function create(kid) {
	if (kid.nodeType) return kid;
	if (!kid.tag) return document.createTextNode(kid);
	return /^(svg|use)$/.test(kid.tag) ? document.createElementNS(svg, kid.tag) : document.createElement(kid.tag);
}

function update(node, kid) {
	if (kid.nodeType) return node;
	if (!kid.tag) {
		if (node.data !== kid) node.data = kid;
		return node;
	}
	const before = node.props ?? {};
	node.props = kid.props;
	for (const name in { ...before, ...kid.props }) {
		const value = kid.props[name] ?? false;
		if (name.startsWith('on')) node[name] = value && ((event) => { value(event); }); // to return false would prevent the default
		else if (name === 'key') node.key = value;
		else if (name === 'style') for (const pair of Object.entries(value)) node.style.setProperty(...pair);
		else if ((before[name] ?? false) === value) continue;
		else if (value === false) node.removeAttribute(name);
		else node.setAttribute(name, value === true ? '' : value);
	}
	patch(node, kid.kids);
	return node;
}

export const icon = (name, label) => h(`svg.icon.icon-${name}`, {
	key: name, role: label && 'img', 'aria-label': label, 'aria-hidden': !label && 'true',
}, h('use', { href: `#${name}` }));

export const iconButton = (name, label, onclick) => h(`button.icon-button.button-${name}`, {
	key: name, type: 'button', 'aria-label': label, title: label, onclick,
}, icon(name));

export const linkButton = (label, onclick, description) => h('button.link-button', {
	key: label, type: 'button', onclick, 'aria-label': description,
}, label);
