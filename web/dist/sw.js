// Shows a page in place of the browser's own where the box cannot be reached. It keeps nothing else: what is played
// comes from the box alone, and files of the app are kept by the browser's ordinary cache. The app never needs it.
const KEPT = 'whot-offline-1';
const PAGE = '/offline.html';

addEventListener('install', event => {
  event.waitUntil(caches.open(KEPT).then(cache => cache.addAll([PAGE, '/offline.css', '/icon.svg'])));
  skipWaiting();
});

addEventListener('activate', event => {
  const old = name => name.startsWith('whot-') && name !== KEPT;
  const clear = caches.keys().then(names => Promise.all(names.filter(old).map(name => caches.delete(name))));
  event.waitUntil(clear.then(() => clients.claim()));
});

addEventListener('fetch', event => {
  const { request } = event;
  if (request.mode === 'navigate') {
    event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  } else if (['/offline.css', '/icon.svg'].includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});
