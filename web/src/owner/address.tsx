//! Where people find the box: the address that this page came from, and the name that the box answers for.

import { open } from '../base/api';
import type { BoxCard } from '../base/contract';
import { useLoad } from '../ui/hooks';
import { o } from './words';

export function Address() {
  const card = useLoad(() => open<BoxCard>('GET', '/api/v1/box'), []);
  const named = card.data?.local_url;
  return (
    <>
      <p class="address">{location.origin}</p>
      {named && named !== location.origin && (
        <>
          <p class="soft">{o('join.or')}</p>
          <p class="address">{named}</p>
        </>
      )}
    </>
  );
}
