/** As the real processes do: one signal may have as many listeners as there are tasks. */
require('node:events').setMaxListeners(0);
