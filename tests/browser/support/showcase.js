// A few conversations that show most of what the page can do, for the screenshots and for looking at it by hand.

const hour = 3_600_000;
const picture = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480"><defs><linearGradient id="g" x2="0" y2="1">
<stop stop-color="#f7c59f"/><stop offset="1" stop-color="#5d8aa8"/></linearGradient></defs><rect width="640" height="480" fill="url(#g)"/>
<circle cx="460" cy="150" r="56" fill="#fff3d6"/><path d="M0 360l140-120 110 90 150-150 240 200v100H0z" fill="#2f4858"/>
<path d="M0 420l200-90 160 70 280-90v170H0z" fill="#1d2f3a"/></svg>`);

export function showcase(mock, now = Date.now()) {
  const at = (hoursAgo) => now - hoursAgo * hour;
  const people = [
    ['+447700900123', 'Priya Raman'], ['+4915123456789', 'Café Blau'], ['+34600123456', 'José Álvarez'], ['+972501234567', 'נועה לוי'],
    ['+14155550132', 'Dr. Amelia Okonkwo'], ['+33612345678', 'Léa & Tom 🏔️'],
  ];
  for (const [number, name] of people) mock.contact(number, name);
  const ana = '+447700900123';
  const events = [
    [200, () => mock.inbound({ from: '+33612345678', body: 'On se voit au refuge samedi ?', at: at(200) })],
    [120, () => mock.inbound({ from: '+14155550132', body: 'Your results are in, everything looks fine.', at: at(120) })],
    [119, () => mock.outbound({ to: '+14155550132', body: 'Thank you, that is a relief.', deliveryStatus: 'read', at: at(119) })],
    [51, () => mock.inbound({ from: '+972501234567', body: 'תודה רבה! נתראה ביום חמישי', at: at(51) })],
    [30, () => mock.inbound({ from: ana, body: 'Hi! Is the blue one still available?', at: at(30) })],
    [29.9, () => mock.outbound({ to: ana, body: 'Yes, we have two left.\nShall I put one aside for you?', deliveryStatus: 'read', at: at(29.9) })],
    [29.8, () => mock.inbound({ from: ana, body: 'That would be lovely', at: at(29.8) })],
    [29.79, () => mock.inbound({ from: ana, body: '🙏', at: at(29.79) })],
    [26, () => mock.outbound({ to: '+34600123456', body: '¿Le viene bien mañana a las diez?', status: 'failed', deliveryStatus: 'undelivered',
      errorMessage: 'They have not written in the last 24 hours, so WhatsApp takes only a template.', errorCode: 63016, at: at(26) })],
    [5, () => mock.inbound({ from: '+491701234567', body: 'Hallo, ist heute geöffnet?', at: at(5) })],
    [3, () => mock.inbound({ from: ana, body: 'Here is where I would hang it:', media: [{ contentType: 'image/svg+xml', data: picture }], at: at(3) })],
    [2.9, () => mock.outbound({ to: ana, body: 'What a view! It will fit right in. The sizes are on https://example.org/prints (see the second table).', deliveryStatus: 'read', at: at(2.9) })],
    [2.8, () => mock.inbound({ from: ana, body: 'The Harrow Club\n187 Freston Road\n51.51323, -0.21980', at: at(2.8) })],
    [1.2, () => mock.inbound({ from: '+4915123456789', body: 'Der Tisch ist für 19 Uhr reserviert ☕', at: at(1.2) })],
    [1.1, () => mock.inbound({ from: '+4915123456789', body: 'Bis später!', at: at(1.1) })],
    [0.4, () => mock.outbound({ to: ana, body: 'We can bring it over on Thursday.', deliveryStatus: 'delivered', at: at(0.4) })],
    [0.3, () => mock.inbound({ from: ana, body: 'Perfect, see you then', at: at(0.3) })],
    [0.1, () => mock.outbound({ to: ana, body: 'See you! 👋', deliveryStatus: 'sent', at: at(0.1) })],
  ];
  for (const [, run] of events) run();
  for (const thread of mock.threads.values()) {
    if (!['+4915123456789', '+491701234567'].includes(thread.counterpart)) thread.unreadCount = 0;
  }
}
