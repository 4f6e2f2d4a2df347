/** A small text document that must be read again after a crash. */
export interface CheckpointDocument {
  /** Any text; one document per name. */
  readonly name: string;
  readonly text: string;
}

/**
 * Where an agent keeps what it must not forget. A write is atomic (the old or the new text is found after a crash, nothing in
 * between) and durable when it resolves.
 */
export interface CheckpointStore {
  /** Everything kept. A file that cannot even be read is set aside and named in `unreadable`. */
  list(): Promise<{ readonly documents: readonly CheckpointDocument[]; readonly unreadable: readonly string[] }>;
  write(name: string, text: string): Promise<void>;
  /** Without an error when there is none. */
  remove(name: string): Promise<void>;
  /** Moves a document that makes no sense out of the way and keeps it for people; resolves with where it is now. */
  setAside(name: string): Promise<string>;
}
