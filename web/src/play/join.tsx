//! Joining with an invite, signing in, and taking up an invite while signed in.

import { useEffect, useState } from 'preact/hooks';
import { open, post } from '../base/api';
import type { BoxCard, InviteLook, Relationship, Session, User } from '../base/contract';
import { t } from '../base/i18n';
import { Refusal } from '../base/problem';
import { navigate, path } from '../base/router';
import { adopt, held } from '../base/session';
import { Mark } from '../cards/face';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Languages, Login, Name, Secret } from '../ui/login';
import { Button, Fault, Field, Heading } from '../ui/parts';
import { invitation, spent } from './invitation';

export function Join() {
  const [token, setToken] = useState(invitation);
  const asked = path.value.startsWith('/join');
  const [joining, setJoining] = useState(asked || !!token);
  const user = held.value?.user;
  useTitle(`${t(joining ? 'join.title' : 'login.title')} · ${t('app.title')}`);
  useEffect(() => {
    if (user && !token) navigate('/play', 'replace');
  }, [user, token]);
  return (
    <main class="page narrow">
      <Languages />
      <header class="welcome">
        <Mark />
        <Heading>{t('app.name')}</Heading>
        <At />
        <p class="soft">{t('join.lead')}</p>
      </header>
      {user ? (
        <Accept token={token} />
      ) : joining ? (
        <Redeem token={token} setToken={setToken} other={() => setJoining(false)} />
      ) : (
        <Login onDone={user => enter(user, !!token)} other={{ text: t('join.new'), go: () => setJoining(true) }} />
      )}
      <p class="hint foot">{t('join.browser')}</p>
    </main>
  );
}

/** Whose box it is, once that is known: nobody waits for it. */
function At() {
  const card = useLoad(() => open<BoxCard>('GET', '/api/v1/box'), []);
  return card.data?.name ? <p class="place">{t('join.at', { name: card.data.name })}</p> : null;
}

/** Where somebody belongs who has just signed in. Staff have apps of their own. */
function enter(user: User, invited: boolean): void {
  if (user.role === 'admin') location.assign('/box');
  else if (user.role === 'moderator') location.assign('/staff');
  // With an invite at hand it is asked next whether to use it.
  else if (invited) navigate('/join', 'replace');
  else if (!/^\/(play|chat|me)/.test(path.value)) navigate('/play', 'replace');
}

/** What is known of an invite before it is used: who it is from, or why it cannot be used. */
function Inviter({ token }: { token: string }) {
  const look = useLoad(() => open<InviteLook>('GET', `/api/v1/invites/${encodeURIComponent(token)}`), [token]);
  const refused = look.fault instanceof Refusal && look.fault.status === 404;
  if (refused) return <p class="notice danger">{t('err.invite_unknown')}</p>;
  if (look.fault) return <Fault of={look.fault} />;
  if (!look.data) return null;
  const { status, distributor_alias } = look.data;
  if (status !== 'open') return <p class="notice danger">{t(`err.invite_${status}`)}</p>;
  return distributor_alias ? <p class="notice good">{t('join.invited', { name: distributor_alias })}</p> : null;
}

interface RedeemProps {
  token: string;
  setToken: (token: string) => void;
  other: () => void;
}

/** Whether a text can be a whole token or code, so that it is worth asking for. */
const whole = (token: string): boolean => token.replace(/[^0-9A-Za-z]/g, '').length >= 8;

function Redeem({ token, setToken, other }: RedeemProps) {
  const [given] = useState(token);
  const [username, setName] = useState('');
  const [password, setPassword] = useState('');
  const [wrong, setWrong] = useState<{
    username?: string;
    password?: string;
    token?: string;
  }>({});
  const { busy, fault, run } = useAction(async () => {
    const body = {
      token: token.trim(),
      username: username.trim().toLowerCase(),
      password,
    };
    adopt(await open<Session>('POST', '/api/v1/invites/redeem', body));
    spent();
    navigate('/play', 'replace');
  });
  const submit = (event: Event) => {
    event.preventDefault();
    const faults = check(username, password);
    if (!whole(token)) faults.token = t('err.field');
    setWrong(faults);
    if (Object.keys(faults).length === 0) void run();
  };
  const fields = fault instanceof Refusal ? fault.fields : {};
  const unknown = fault instanceof Refusal && fault.code === 'not_found';
  return (
    <form class="stack" onSubmit={submit} noValidate>
      {given && <Inviter token={given} />}
      {!given && (
        <Field
          label={t('join.code')}
          hint={t('join.code.hint')}
          fault={wrong.token ?? (unknown ? t('err.invite_unknown') : undefined)}
          value={token}
          onInput={setToken}
          attributes={{
            autocomplete: 'off',
            autocapitalize: 'characters',
            spellcheck: false,
            maxLength: 128,
          }}
        />
      )}
      <Name value={username} onInput={setName} fault={wrong.username ?? fields.username} />
      <Secret value={password} onInput={setPassword} fault={wrong.password ?? fields.password} fresh />
      {!unknown && <Fault of={fault} />}
      <Button kind="main" submit busy={busy}>
        {t('join.start')}
      </Button>
      <Button kind="quiet" onClick={other}>
        {t('join.have')}
      </Button>
    </form>
  );
}

/** What the box would refuse in any case; it still has the last word. */
function check(username: string, password: string): { username?: string; password?: string; token?: string } {
  return {
    ...(/^[a-z0-9_.-]{3,32}$/i.test(username.trim()) ? {} : { username: t('err.username_short') }),
    ...(password.length >= 8 ? {} : { password: t('err.password_short') }),
  };
}

/** Somebody who is signed in already came with an invite. */
function Accept({ token }: { token: string }) {
  const user = held.value?.user;
  const { busy, fault, run } = useAction(async () => {
    const reply = await post<Session & { relationship: Relationship }>(
      `/api/v1/invites/${encodeURIComponent(token)}/redeem`,
    );
    if (reply.access_token) adopt(reply);
    spent();
    navigate('/play', 'replace');
  });
  return (
    <div class="stack">
      <Inviter token={token} />
      <p>{t('join.signedin', { name: user?.username ?? '' })}</p>
      <Fault of={fault} />
      <Button kind="main" busy={busy} onClick={run}>
        {t('join.link')}
      </Button>
      <Button
        kind="quiet"
        onClick={() => {
          spent();
          navigate('/play', 'replace');
        }}
      >
        {t('go.lobby')}
      </Button>
    </div>
  );
}
