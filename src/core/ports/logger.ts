/** A line has names of its own; a field that is called so would hide what the line says. */
export type LogFields = Readonly<Record<string, unknown>> & {
  readonly message?: never;
  readonly level?: never;
  readonly time?: never;
};

/** Constant message, variable fields; one name per id everywhere (appId, agentId, taskId, instanceId, rolloutId). */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
}
