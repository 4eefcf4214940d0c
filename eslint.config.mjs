// What the compiler does not say: promises nobody waits for, hooks out of order, names nobody uses.
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['**/*.{js,cjs,mjs}'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    files: ['labextension/src/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': reactHooks },
    languageOptions: {
      parserOptions: { project: 'labextension/tsconfig.json', tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      // Effects here name what they follow, which is often less than all that they read.
      'react-hooks/exhaustive-deps': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }
      ],
      // Functions among a component's properties are written as methods, and arguments of commands are JSON.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      eqeqeq: 'error',
      'no-console': 'error'
    }
  }
);
