//! The few pieces that every screen is made of.

import type { ComponentChildren, InputHTMLAttributes } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { t } from '../base/i18n';
import { type Loaded, useAction } from './hooks';
import { explain } from './words';

type Kind = 'main' | 'plain' | 'quiet' | 'danger';

interface ButtonProps {
  kind?: Kind;
  busy?: boolean;
  disabled?: boolean;
  submit?: boolean;
  label?: string;
  pressed?: boolean;
  onClick?: () => void;
  children: ComponentChildren;
}

/** A button that says so while it works, and then cannot be pressed. */
export function Button({ kind = 'plain', busy, disabled, submit, label, pressed, onClick, children }: ButtonProps) {
  return (
    <button
      type={submit ? 'submit' : 'button'}
      class={`button ${kind}`}
      disabled={disabled || busy}
      aria-busy={busy ? 'true' : undefined}
      aria-label={label}
      aria-pressed={pressed}
      onClick={onClick}
    >
      {busy ? t('state.busy') : children}
    </button>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  fault?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  secret?: boolean;
  attributes?: InputHTMLAttributes<HTMLInputElement>;
}

/** A labelled line to fill in; what is wrong with it stands beside it. */
export function Field({ label, hint, fault, value, onInput, secret, attributes }: FieldProps) {
  const id = useId();
  const [shown, show] = useState(false);
  const about = fault ? `${id}-fault` : hint ? `${id}-hint` : undefined;
  const line = {
    ...attributes,
    id,
    type: secret && !shown ? 'password' : 'text',
    value,
    'aria-describedby': about,
    'aria-invalid': fault ? 'true' : undefined,
    onInput: event => onInput(event.currentTarget.value),
  } as InputHTMLAttributes<HTMLInputElement>;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-line">
        <input {...line} />
        {secret && (
          <button type="button" class="button quiet" aria-pressed={shown} onClick={() => show(!shown)}>
            {shown ? t('join.hide') : t('join.show')}
          </button>
        )}
      </div>
      {fault ? (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      ) : (
        hint && (
          <p class="hint" id={`${id}-hint`}>
            {hint}
          </p>
        )
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={event => onChange(event.currentTarget.value as T)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Switch({ label, on, onChange }: { label: string; on: boolean; onChange: (on: boolean) => void }) {
  return (
    <label class="switch">
      <span>{label}</span>
      <input
        type="checkbox"
        role="switch"
        aria-checked={on}
        checked={on}
        onChange={event => onChange(event.currentTarget.checked)}
      />
    </label>
  );
}

/** A fault in words; nothing when there is none. */
export function Fault({ of }: { of: unknown }) {
  return of ? (
    <p class="notice danger" role="alert">
      {explain(of)}
    </p>
  ) : null;
}

/** What is loaded is not there yet, or could not be fetched and can be asked for again; nothing once it is there. */
export function Loading({ from: { data, fault, reload } }: { from: Loaded<unknown> }) {
  const again = useAction(reload);
  if (data) return fault ? <p class="notice warn">{t('net.asof')}</p> : null;
  if (!fault) return <p class="soft">{t('state.loading')}</p>;
  return (
    <div class="stack">
      <Fault of={fault} />
      <Button busy={again.busy} onClick={again.run}>
        {t('go.retry')}
      </Button>
    </div>
  );
}

interface ListProps<T> {
  from: Loaded<T[]>;
  empty: string;
  children: (item: T) => ComponentChildren;
}

/** A list with its empty, loading and failed states in words. */
export function List<T>({ from, empty, children }: ListProps<T>) {
  const { data, fault } = from;
  if (!data) return <Loading from={from} />;
  return (
    <>
      {fault ? <p class="notice warn">{t('net.asof')}</p> : null}
      {data.length === 0 ? <p class="soft">{empty}</p> : <ul class="rows">{data.map(children)}</ul>}
    </>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A dialog above all else. Escape, the button and a tap beside it close it. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const own = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    own.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does what the tap beside the dialog does.
    <dialog
      ref={own}
      aria-labelledby={id}
      onCancel={event => {
        event.preventDefault();
        onClose();
      }}
      onClick={event => {
        if (event.target === own.current) onClose();
      }}
    >
      <div class="dialog">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** A part that scrolls by itself, from the keyboard too. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without the focus the keyboard cannot scroll it.
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}

/** The heading of a screen, which takes the focus when the screen comes. */
export function Heading({ children, hidden }: { children: ComponentChildren; hidden?: boolean }) {
  const own = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    own.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={own} tabIndex={-1} class={hidden ? 'unseen' : undefined}>
      {children}
    </h1>
  );
}

/** What a screen reader is told when it changes. */
export function Announce({ text }: { text: string }) {
  return (
    <p class="unseen" role="status" aria-live="polite">
      {text}
    </p>
  );
}
