//! What the box finds when it examines itself, the worst first, each with what to do; and its clock.

import { get } from '../base/api';
import type { ClockState, Examined, Finding } from '../base/contract';
import { clock, day } from '../base/i18n';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Heading, Loading } from '../ui/parts';
import { Page } from './app';
import { ClockCheck } from './clock';
import { Support } from './support';
import { has, o } from './words';

/** A finding in the person's language where it is known by its name, with the box's own sentences below; else those alone. */
function Words({ of: { id, message, fix } }: { of: Finding }) {
  const [what, todo] = [`what.${id}`, `do.${id}`];
  if (!has(what) || !has(todo)) {
    return (
      <>
        <strong lang="en-NG">{message}</strong>
        <span lang="en-NG">{fix}</span>
      </>
    );
  }
  return (
    <>
      <strong>{o(what)}</strong>
      <span>{o(todo)}</span>
      <details lang="en-NG">
        <summary>{o('health.box')}</summary>
        <p class="soft">{message}</p>
        <p class="soft">{fix}</p>
      </details>
    </>
  );
}

export function Health() {
  useTitle(`${o('health')} · ${o('app')}`);
  const report = useLoad(() => get<Examined>('/api/v1/admin/doctor'), []);
  const time = useLoad(() => get<ClockState>('/api/v1/admin/clock'), []);
  const again = useAction(report.reload);
  const { data } = report;
  return (
    <Page at="/box/health">
      <Heading>{o('health')}</Heading>
      <section class="panel stack" aria-live="polite">
        <Loading from={report} />
        {data && (
          <>
            <h2 class={`verdict ${data.findings.length === 0 ? 'good' : 'warn'}`}>
              {o(data.findings.length === 0 ? 'good' : 'attention')}
            </h2>
            <ul class="rows">
              {data.findings.map(one => (
                <li key={one.id} class="row">
                  <span class="grow lines">
                    <span class={one.severity === 'error' ? 'badge act' : 'badge'}>{o(`health.${one.severity}`)}</span>
                    <Words of={one} />
                  </span>
                </li>
              ))}
            </ul>
            <p class="soft">
              {o('health.looked', { n: data.checked.length, at: `${day(data.checked_at)}, ${clock(data.checked_at)}` })}
            </p>
          </>
        )}
        {data && (
          <Button busy={again.busy} onClick={again.run}>
            {o('health.again')}
          </Button>
        )}
      </section>
      <section class="panel stack">
        <h2>{o('setup.clock')}</h2>
        <Loading from={time} />
        {time.data && <ClockCheck state={time.data} onDone={time.reload} />}
      </section>
      <Support />
    </Page>
  );
}
