import { connect } from 'node:tls';

/** SHA-256 fingerprint of the certificate that a port of loopback shows to a new connection. */
export function shownAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, timeout: 5_000 }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
      socket.destroy();
    });
    socket.on('error', reject).on('timeout', () => socket.destroy(new Error('no TLS handshake within 5 s')));
  });
}
