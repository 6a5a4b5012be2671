//! The audit trail beside central's: whether they differ, and saying that the difference is known.

import { get, post } from '../base/api';
import type { TrailState } from '../base/contract';
import { clock, day } from '../base/i18n';
import { useAction, useLoad } from '../ui/hooks';
import { Button, Fault } from '../ui/parts';
import { ReasonField, useReason } from './reason';
import { s } from './words';

const PATH = '/api/v1/admin/moderation/trail';

export function Beside({ onChange }: { onChange: () => void }) {
  const now = useLoad(() => get<TrailState>(PATH), []);
  const reason = useReason();
  const { busy, fault, run } = useAction(async () => {
    await post<TrailState>(`${PATH}/acknowledge`, { reason: reason.text });
    await now.reload();
    onChange();
  });
  const state = now.data;
  if (!state) return <Fault of={now.fault} />;
  if (!state.diverged) {
    if (!state.agreed_at) return <p class="soft">{s('beside.never')}</p>;
    return (
      <p class="notice good" role="status">
        {s('beside.same', { at: `${day(state.agreed_at)}, ${clock(state.agreed_at)}` })}
      </p>
    );
  }
  return (
    <form
      class="panel stack"
      noValidate
      onSubmit={reason.before(run)}
    >
      <p class="notice danger" role="alert">
        {s('beside.differs', { how: s(`beside.${state.diverged as 'cut' | 'rewritten' | 'forked'}`) })}
      </p>
      <p>{s('beside.lead')}</p>
      <ReasonField of={reason} label={s('beside.reason')} longest={400} />
      <Fault of={fault} />
      <Button kind="danger" submit busy={busy}>
        {s('beside.know')}
      </Button>
    </form>
  );
}
