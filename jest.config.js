/** Three projects, by what a test needs: nothing, real etcd/Docker/kubectl, or root and network namespaces. */
const base = {
  rootDir: __dirname,
  testEnvironment: 'node',
  setupFilesAfterEnv: ['<rootDir>/test/support/setup.js'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  moduleFileExtensions: ['ts', 'js', 'json'],
};

const REAL = ['\\.etcd\\.test\\.ts$', '\\.docker\\.test\\.ts$', '\\.kubectl\\.test\\.ts$', '\\.net\\.test\\.ts$'];

module.exports = {
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/test/**/*.test.ts'], testPathIgnorePatterns: REAL },
    {
      ...base,
      displayName: 'real',
      testMatch: REAL.map((suffix) => `<rootDir>/test/**/*${suffix.slice(0, -1).replaceAll('\\', '')}`),
    },
  ],
};
