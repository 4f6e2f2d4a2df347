import type { History } from './history';
import { type AppTruth, type Truth, wishOf } from './truth';

/** One thing a user asked for; it may take effect while it is under way, and later if nobody knows how it ended. */
export interface Attempt {
  readonly number: number;
  readonly appId: string;
  /** What the app is afterwards; undefined: deleted, or whatever it was before. */
  readonly wish: string | undefined;
  readonly kind: 'put' | 'restart' | 'scale kill' | 'undo' | 'delete';
  outcome: 'under way' | 'acknowledged' | 'refused' | 'unknown';
  /** The version it was acknowledged with. */
  version?: string;
}

/** A definition the store got, not yet known whose wish it is. */
interface Effect {
  readonly app: AppTruth;
  readonly version: string;
  readonly wish: string;
  readonly previous: string | undefined;
}

/** What users were promised, held against what the store has: nothing acknowledged is lost, nothing is there unasked. */
export class Promises {
  private readonly attempts: Attempt[] = [];
  /** Attempts whose effect has not been seen yet. */
  private open: Attempt[] = [];
  private effects: Effect[] = [];

  constructor(
    private readonly truth: Truth,
    private readonly history: History,
  ) {
    truth.onDefinition = (app, spec, previous) =>
      void this.effects.push({
        app,
        version: spec.version,
        wish: wishOf(spec),
        previous: previous && wishOf(previous),
      });
    truth.onDeletion = (app) => this.judgeDeletion(app);
  }

  attempt(appId: string, wish: string | undefined, kind: Attempt['kind']): Attempt {
    const attempt: Attempt = { number: this.attempts.length + 1, appId, wish, kind, outcome: 'under way' };
    this.attempts.push(attempt);
    this.open.push(attempt);
    return attempt;
  }

  acknowledged(attempt: Attempt, version: string | undefined): void {
    attempt.outcome = 'acknowledged';
    if (version !== undefined) attempt.version = version;
    this.history.note(`user ${attempt.number}: acknowledged ${version ?? ''}`);
  }

  /** @param isUnknown it may have taken effect all the same */
  failed(attempt: Attempt, isUnknown: boolean, why: string): void {
    attempt.outcome = isUnknown ? 'unknown' : 'refused';
    this.history.note(`user ${attempt.number}: ${attempt.outcome}: ${why}`);
  }

  /** Whoever was told that a write is kept finds it in the store, and nothing is there unasked. */
  check(): void {
    this.open = this.open.filter((attempt) => !this.isSettled(attempt));
    for (const effect of this.effects) this.judgeEffect(effect);
    this.effects = [];
  }

  private isSettled(attempt: Attempt): boolean {
    const { appId, kind, number, outcome, version, wish } = attempt;
    if (outcome === 'under way') return false;
    if (outcome !== 'acknowledged' || version === undefined || kind === 'undo') return true;
    if (kind === 'delete' ? this.truth.appOf(appId).wasDeleted : this.isKnown(appId, version)) return true;
    this.history.violate(
      'no acknowledged write is lost',
      `user ${number} was promised ${kind} of ${appId} (${wish ?? 'gone'}) as ${version}, the store never had it`,
    );
    return true;
  }

  /** Every definition the store gets is a user's wish: one that was acknowledged as this version, or one still in doubt. */
  private judgeEffect({ app, version, wish, previous }: Effect): void {
    const ofApp = this.attempts.filter((attempt) => attempt.appId === app.id && attempt.outcome !== 'refused');
    const isWanted = ofApp.some((attempt) => {
      if (attempt.version !== undefined) return attempt.version === version;
      if (attempt.outcome === 'acknowledged') return false;
      return attempt.kind === 'put' ? attempt.wish === wish : attempt.kind !== 'delete';
    });
    if (isWanted) return;
    this.history.violate(
      'no acknowledged write is lost',
      `${app.id} became ${wish} as ${version} (it was ${previous ?? 'nothing'}) and no user wanted that`,
    );
  }

  private judgeDeletion(app: AppTruth): void {
    const possible = this.attempts.filter((attempt) => attempt.appId === app.id && attempt.outcome !== 'refused');
    const wanted = possible.filter(({ kind }) => kind === 'delete' || kind === 'undo');
    if (wanted.length === 0)
      this.history.violate('no acknowledged write is lost', `${app.id} is deleted, nobody asked`);
  }

  private isKnown(appId: string, version: string): boolean {
    return this.truth.appOf(appId).definitions.some((spec) => spec.version === version);
  }
}
