/* A separate module, so that the bundle can load undici when the first request needs it. */
export { DecoratorHandler, Pool, ProxyAgent } from 'undici';
