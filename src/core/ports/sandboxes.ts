/** A file or folder, as Mesos' /files/browse shows it. */
export interface FileEntry {
  readonly path: string;
  readonly nlink: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** `-rw-r--r--` */
  readonly mode: string;
  readonly uid: string;
  readonly gid: string;
}

/** The folders that tasks write to, one per task: `<frameworkId>/<taskId>`, with `stdout` and `stderr`. */
export interface Sandboxes {
  /** Makes the folder with empty `stdout` and `stderr` if it is not there; resolves with its absolute path. */
  create(frameworkId: string, taskId: string): Promise<string>;
  /** Absolute path of the folder, whether it exists or not. */
  pathOf(frameworkId: string, taskId: string): string;
  /** All of them. `modifiedMs`: milliseconds since the epoch of the last change of the folder or its output. */
  list(): Promise<readonly { readonly path: string; readonly modifiedMs: number }[]>;
  /** How much of their disk is in use, 0 to 1, whoever uses it. */
  diskUsage(): Promise<number>;
  /** Removes one folder. Refuses paths that are not sandboxes. */
  remove(path: string): Promise<void>;
}

/** Reading files in sandboxes for people. Paths are absolute; one that leads out of the sandboxes is a NotFoundError. */
export interface SandboxFiles {
  /** The sandbox of a task, also of one that the agent has forgotten; undefined: none. */
  find(taskId: string): Promise<string | undefined>;
  /** Sorted by path. NotFoundError. */
  browse(path: string): Promise<readonly FileEntry[]>;
  /** Size in bytes. BadRequestError for a folder. */
  size(path: string): Promise<number>;
  /** At most `length` bytes from `offset`. */
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
  /**
   * The file from `offset` on. With `follow` it goes on as the file grows, until `signal` aborts or `isOver` says that nothing
   * more will come. Reads no faster than the reader takes it.
   */
  stream(
    path: string,
    options: {
      readonly offset: number;
      readonly follow: boolean;
      readonly signal: AbortSignal;
      readonly isOver?: () => boolean;
    },
  ): AsyncIterable<Uint8Array>;
  /** The offset at which the last `lines` lines begin (looks at the last MiB at most). */
  tailOffset(path: string, lines: number): Promise<number>;
}
