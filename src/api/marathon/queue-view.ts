import type { App } from '../../core/records/app';
import { definitionView } from './app-view';

/** What waits of one app (Marathon: QueueItem), or undefined. `message` is ours: why, in one sentence. */
export function queueView(app: App, withOffers: boolean, nowMs: number): Record<string, unknown> | undefined {
  const item = app.status?.launchQueue;
  if (item === undefined || item.count === 0) return undefined;
  const leftSeconds = Math.max(0, Math.ceil((item.delayUntilMs - nowMs) / 1000));
  return {
    count: item.count,
    role: item.role,
    delay: { timeLeftSeconds: leftSeconds, overdue: leftSeconds === 0 },
    since: item.since,
    processedOffersSummary: {
      processedOffersCount: item.processedOffersCount,
      unusedOffersCount: item.unusedOffersCount,
      ...(item.lastUnusedOfferAt === undefined ? {} : { lastUnusedOfferAt: item.lastUnusedOfferAt }),
      ...(item.lastUsedOfferAt === undefined ? {} : { lastUsedOfferAt: item.lastUsedOfferAt }),
      rejectSummaryLastOffers: item.rejectSummaryLastOffers,
      rejectSummaryLaunchAttempt: item.rejectSummaryLaunchAttempt,
    },
    ...(withOffers ? { lastUnusedOffers: item.lastUnusedOffers } : {}),
    message: item.message,
    app: definitionView(app.spec),
  };
}
