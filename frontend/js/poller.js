// When to ask the server: often when watched, seldom when hidden, with patience when it is lost.

const shownDelay = 1_500;
const hiddenDelay = 20_000;

// From a second to half a minute, spread so that not all come back at once.
const backoff = (failures) => Math.min(30_000, 500 * 2 ** failures) * (0.75 + Math.random() / 2);

// ask(signal) resolves to true when there is more to be had at once; told(error, failures) hears how it ended.
export function createPoller(ask, told) {
	let timer;
	let question = null;
	let again = false;
	let failures = 0;

	async function run() {
		clearTimeout(timer);
		const { signal } = question = new AbortController();
		let delay = document.hidden ? hiddenDelay : shownDelay;
		try {
			if (await ask(signal)) delay = 0;
			failures = 0;
			told(null);
		} catch (error) {
			if (!signal.aborted) { // by ourselves
				delay = Math.max(error.retryAfter ?? 0, backoff(++failures));
				told(error, failures);
			}
		}
		question = null;
		timer = setTimeout(run, again ? 0 : delay);
		again = false;
	}

	// Ask now, or once more: the answer under way may be older than the reason.
	function wake() {
		if (question) again = true;
		else run();
	}

	document.addEventListener('visibilitychange', () => document.hidden || wake());
	for (const event of ['online', 'offline']) {
		addEventListener(event, () => {
			question?.abort(); // it may hang on a connection that is gone
			wake();
		});
	}
	return { wake };
}
