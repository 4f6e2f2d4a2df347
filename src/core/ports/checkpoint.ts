/** A small text document that must be read again after a crash. */
export interface CheckpointDocument {
  /** Any text; one document per name. */
  readonly name: string;
  readonly text: string;
}

/**
 * Where an agent keeps what it must not forget. A write is atomic: after a crash of the agent the old or the new text is found,
 * nothing in between.
 */
export interface CheckpointStore {
  /** Everything kept. A file that cannot even be read is set aside and named in `unreadable`. */
  list(): Promise<{ readonly documents: readonly CheckpointDocument[]; readonly unreadable: readonly string[] }>;
  /**
   * Resolves when a crash of the agent cannot undo it. `sync`: nor a power failure, which may cost a second on a busy disk.
   */
  write(name: string, text: string, options?: { readonly sync: boolean }): Promise<void>;
  /** Without an error when there is none. */
  remove(name: string): Promise<void>;
  /** Moves a document that makes no sense out of the way and keeps it for people; resolves with where it is now. */
  setAside(name: string): Promise<string>;
}
