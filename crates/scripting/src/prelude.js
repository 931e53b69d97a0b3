// What every script finds. The natives are taken out of reach before the script is loaded.
(() => {
    'use strict';
    const { ask, log, done, failed } = globalThis.__natives;
    delete globalThis.__natives;
    const stringify = JSON.stringify, parse = JSON.parse, Err = Error, P = Promise, M = Map;
    const then = P.prototype.then, reject = P.reject.bind(P);
    const waiting = new M();
    const get = M.prototype.get, set = M.prototype.set, remove = M.prototype.delete;
    const host = (name, args) => new P((resolve, refuse) => {
        let text;
        try { text = stringify(args); } catch (error) { refuse(error); return; }
        set.call(waiting, ask(name, text), [resolve, refuse]);
    });
    const text = (value) => typeof value === 'string' ? value : stringify(value) ?? String(value);
    const frozen = (object) => Object.freeze(object);
    const define = (name, value) =>
        Object.defineProperty(globalThis, name, { value, writable: false, configurable: false, enumerable: false });
    define('log', (...values) => log(values.map(text).join(' ')));
    define('console', frozen({ log: globalThis.log, info: globalThis.log, warn: globalThis.log, error: globalThis.log }));
    define('now', () => new Date().toISOString());
    define('uuid', () => host('uuid', []));
    define('fetch', async (url, options = {}) => {
        const answer = await host('fetch', [String(url), {
            method: options.method, headers: options.headers,
            body: options.body === undefined || options.body === null ? undefined : text(options.body),
        }]);
        const headers = answer.headers;
        return frozen({
            status: answer.status, ok: answer.status >= 200 && answer.status < 300, url: answer.url,
            headers: frozen({
                get: (name) => headers[String(name).toLowerCase()] ?? null,
                has: (name) => String(name).toLowerCase() in headers,
            }),
            text: async () => answer.body, json: async () => parse(answer.body),
        });
    });
    define('sql', frozen({
        query: (connection, statement, params = []) => host('sql.query', [String(connection), String(statement), params]),
    }));
    define('kv', frozen({
        get: (key) => host('kv.get', [String(key)]),
        set: (key, value) => host('kv.set', [String(key), value ?? null]),
        delete: (key) => host('kv.delete', [String(key)]),
    }));
    for (const name of ['createProspects', 'scheduleCallback', 'queueCallback']) {
        define(name, (...args) => host(name, args));
    }
    const tell = (error) => {
        const isError = error instanceof Err;
        failed(isError ? String(error.name) : 'Thrown', isError ? String(error.message) : text(error),
            isError && typeof error.stack === 'string' ? error.stack : '');
    };
    return {
        run: (callee, args) => {
            const started = then.call(P.resolve(parse(args)), (values) => callee(...values));
            then.call(then.call(started, (value) => done(stringify(value) ?? 'null')), undefined, tell);
        },
        settle: (question, isGood, value) => {
            const pair = get.call(waiting, question);
            if (pair === undefined) return;
            remove.call(waiting, question);
            if (isGood) pair[0](parse(value)); else pair[1](new Err(value));
        },
        tell,
    };
})()
