/** Ends a fault. Safe to call twice. */
export type Heal = () => Promise<void>;
