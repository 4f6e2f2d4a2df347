export { FakeClock, settled } from './clock';
export { RecordingCrashPoints } from './crash-points';
export { seededIds, seededRandom } from './chance';
export { RecordingLogger, silentLogger, type LogLine } from './logger';
export { noopMetrics, RecordingMetrics, recordingMetrics } from './metrics';
