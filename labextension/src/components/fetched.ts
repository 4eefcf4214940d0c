import * as React from 'react';

/** What `fetch` answers; null until it does. Asked again when `key` changes, and not for the key ''. */
export function useFetched<T>(
  key: string,
  fetch: () => Promise<T>
): { value: T | null; error: string } {
  const [answer, setAnswer] = React.useState<{ key: string; value: T | null; error: string }>({
    key: '',
    value: null,
    error: ''
  });
  React.useEffect(() => {
    if (key === '') {
      return;
    }
    let isWanted = true;
    fetch().then(
      value => isWanted && setAnswer({ key, value, error: '' }),
      (error: unknown) =>
        isWanted &&
        setAnswer({
          key,
          value: null,
          error: error instanceof Error ? error.message : String(error)
        })
    );
    return () => {
      isWanted = false;
    };
  }, [key]);
  return answer.key === key ? answer : { value: null, error: '' };
}
