export { FakeClock, settled } from './clock';
export { seededIds, seededRandom } from './chance';
export { RecordingLogger, silentLogger, type LogLine } from './logger';
export { noopMetrics, RecordingMetrics, recordingMetrics } from './metrics';
