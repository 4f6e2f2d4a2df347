export type LogFields = Readonly<Record<string, unknown>>;

/** Constant message, variable fields; one name per id everywhere (appId, agentId, taskId, instanceId, rolloutId). */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
}
