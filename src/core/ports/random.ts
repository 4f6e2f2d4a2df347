/** Chance as a port: seeded in a simulation. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}
