// `kind:name` entities: their parts, short labels, and the words for health.
import type { Health, Severity, Verdict } from '../api';

export const HEALTHS: Health[] = ['ok', 'minor', 'major', 'critical', 'unknown'];
export const MARK: Record<Health, string> = { ok: '●', minor: '▽', major: '▲', critical: '◆', unknown: '▨' };
const BAD: Record<Health, number> = { critical: 4, major: 3, minor: 2, unknown: 1, ok: 0 };

export function worse(a: Health, b: Health): Health {
  return BAD[b] > BAD[a] ? b : a;
}
export function badness(h: Health): number {
  return BAD[h];
}
export function severityHealth(s: Severity): Health {
  return s === 'critical' ? 'critical' : s === 'warning' ? 'major' : 'minor';
}
export function verdictHealth(v: Verdict): Health {
  return v === 'fail' ? 'critical' : v === 'warn' ? 'major' : v === 'pass' ? 'ok' : 'unknown';
}

export function kindOf(entity: string): string {
  const i = entity.indexOf(':');
  return i < 0 ? '' : entity.slice(0, i);
}
export function nameOf(entity: string): string {
  const i = entity.indexOf(':');
  return i < 0 ? entity : entity.slice(i + 1);
}
// The node or switch that an entity sits on, or ''.
export function hostOf(entity: string): string {
  const kind = kindOf(entity);
  if (!['node', 'gpu', 'nic', 'switch', 'port', 'optic', 'nvswitch', 'dpu'].includes(kind)) return '';
  return nameOf(entity).split('/')[0];
}
// `gpu:node00001/3` as "node00001 / GPU 3".
export function label(entity: string): string {
  const kind = kindOf(entity);
  const name = nameOf(entity);
  if (kind === 'gpu') {
    const [n, g] = name.split('/');
    return g === undefined ? name : `${n} / GPU ${g}`;
  }
  if (kind === 'rank') {
    const [j, r] = name.split('/');
    return `${j} / rank ${r}`;
  }
  if (kind === 'link') return name.replace('--', ' ↔ ');
  return name;
}
// A sentence that the server begins with the entity's name, where that stands beside it already.
export function withoutEntity(text: string, entity: string): string {
  const m = entity && text.startsWith(entity) ? /^\s*[:：]\s*(?=\S)/.exec(text.slice(entity.length)) : null;
  return m ? text.slice(entity.length + m[0].length) : text;
}
// The last part only, where the host is already plain from the place.
export function shortLabel(entity: string): string {
  const kind = kindOf(entity);
  const name = nameOf(entity);
  const i = name.indexOf('/');
  if (i < 0) return name;
  return kind === 'gpu' ? `GPU ${name.slice(i + 1)}` : name.slice(i + 1);
}
