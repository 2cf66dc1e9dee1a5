// Small values that survive a reload where the browser lets them.

// scope keeps apart several messengers on one origin.
export function createStorage(scope) {
	const prefix = `wa|${scope}|`;
	const values = new Map();
	try {
		for (const [key, text] of Object.entries(localStorage)) {
			if (key.startsWith(prefix)) values.set(key.slice(prefix.length), JSON.parse(text));
		}
	} catch { /* forbidden, or not ours */ }

	return {
		get: (name) => values.get(name),
		all: (beginning) => [...values].filter(([name, value]) => value && name.startsWith(beginning)).map(([, value]) => value),
		// Without a value: removes.
		set(name, value) {
			values.set(name, value);
			try {
				if (value) localStorage.setItem(prefix + name, JSON.stringify(value));
				else localStorage.removeItem(prefix + name);
			} catch { /* full or forbidden: the memory has it */ }
		},
	};
}
