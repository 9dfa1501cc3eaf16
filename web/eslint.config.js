// The rules of `npm run lint`.
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['dist/', 'src/gen/', 'node_modules/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
  },
  {
    rules: {
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', 60],
      'no-undef': 'off',
      eqeqeq: 'error',
      // Routes are our own (lib/router), not SvelteKit's.
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
  {
    // What a file needs it is given (src/app): nothing is built where it is declared, and no module keeps what changes.
    files: ['src/**/*.ts'],
    ignores: ['**/*.test.ts', 'src/main.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'Program > ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > NewExpression', message: 'Build it in src/app, and hand it to who needs it.' },
        { selector: ":matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration > VariableDeclarator > CallExpression:matches([callee.name='$state'], [callee.object.name='$state'])", message: 'Keep it in a class that is built in src/app.' },
        { selector: ":matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind='let']", message: 'Keep what changes in a class that is built in src/app.' },
      ],
    },
  },
  {
    files: ['**/*.test.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'no-restricted-syntax': ['error', { selector: "CallExpression[callee.object.name='vi'][callee.property.name=/^(mock|doMock|hoisted|fn|spyOn)$/]", message: 'Give what is tested a fake: an object of the interface, with a behaviour.' }],
    },
  },
);
