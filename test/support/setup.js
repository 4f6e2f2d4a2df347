/** As the real processes do: one signal may have as many listeners as there are tasks. */
require('node:events').setMaxListeners(0);

/** A guard against hanging, not a measure of speed: machines are slow at times. */
jest.setTimeout(120_000);
