/** Source of new identifiers: seeded in a simulation. */
export interface IdSource {
  /** A random (version 4) UUID in lower case. */
  uuid(): string;
}
