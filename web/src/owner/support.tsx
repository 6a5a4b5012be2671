//! The file for somebody who helps from afar: what is in it, part by part, before it is saved.

import { useState } from 'preact/hooks';
import { get } from '../base/api';
import type { SupportReply, SupportSection } from '../base/contract';
import { save } from '../base/download';
import { useAction } from '../ui/hooks';
import { Button, Fault, Scroll } from '../ui/parts';
import { has, o } from './words';

/** What a part is of, in the person's language where it is known by its name. */
function About({ of: { name, about } }: { of: SupportSection }) {
  const words = `support.${name}`;
  return has(words) ? <>{o(words)}</> : <span lang="en-NG">{about}</span>;
}

export function Support() {
  const [parts, setParts] = useState<SupportSection[] | null>(null);
  const look = useAction(async () => setParts((await get<SupportReply>('/api/v1/admin/support')).sections));
  const text = (content: unknown) => JSON.stringify(content, null, 2);
  const keep = () => save(new Blob([`${text(parts)}\n`], { type: 'application/json' }), 'whotbox-support.json');
  return (
    <section class="panel stack">
      <h2>{o('support')}</h2>
      <p>{o('support.why')}</p>
      <Fault of={look.fault} />
      {parts && (
        <>
          <ul class="rows parts">
            {parts.map(part => (
              <li key={part.name}>
                <details>
                  <summary>
                    <About of={part} />
                  </summary>
                  <Scroll label={part.name}>
                    <pre lang="en">{text(part.content)}</pre>
                  </Scroll>
                </details>
              </li>
            ))}
          </ul>
          <p class="soft">{o('support.log')}</p>
        </>
      )}
      <div class="pair">
        {parts && (
          <Button kind="main" onClick={keep}>
            {o('support.save')}
          </Button>
        )}
        <Button busy={look.busy} onClick={look.run}>
          {o(parts ? 'support.again' : 'support.show')}
        </Button>
      </div>
    </section>
  );
}
