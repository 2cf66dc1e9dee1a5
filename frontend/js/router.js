// Keeps the open conversation in the address, so that Back, reload and links work.

const beginning = '#/chat/';

export const linkTo = (counterpart) => beginning + encodeURIComponent(counterpart);

export function currentRoute() {
  try {
    return location.hash.startsWith(beginning) ? decodeURIComponent(location.hash.slice(beginning.length)) || null : null;
  } catch {
    return null;
  }
}

// onChange is called after each change of the address, whoever made it.
export class Router {
  constructor(onChange) {
    this.onChange = onChange;
    addEventListener('popstate', onChange);
  }

  // From one conversation to the next replaces: Back leads to the list, as on a phone.
  open(counterpart) {
    if (currentRoute() === counterpart) return;
    if (currentRoute() === null) history.pushState({ fromList: true }, '', linkTo(counterpart));
    else history.replaceState(history.state, '', linkTo(counterpart));
    this.onChange();
  }

  close() {
    if (currentRoute() === null) return;
    if (history.state?.fromList) {
      history.back();
    } else {
      history.replaceState(null, '', '#/');
      this.onChange();
    }
  }
}
