// A service in JavaScript with Google's SDK. It knows an address and an API key, and prints what it gets.
import { ApiError, createPartFromUri, GoogleGenAI } from '@google/genai';

const model = 'gemini-3.5-flash';
const live = 'gemini-3.1-flash-live-preview';
const ai = new GoogleGenAI({ apiKey: process.env.API_KEY, httpOptions: { baseUrl: process.env.BASE_URL } });

// plain is what JSON can say of a value, its keys in order. HTTP headers are not the SDK's.
function plain(key, value) {
  if (key === 'sdkHttpResponse') return undefined;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function show(name, ...values) {
  console.log(`=== ${name}`);
  for (const value of values) console.log(JSON.stringify(value, plain));
}

async function all(pages) {
  const list = [];
  for await (const one of pages) list.push(one);
  return list;
}

async function calls(half) {
  show(`${half} generate`, await ai.models.generateContent({ model, contents: 'Why do dams have spillways?' }));
  const asked = { model: 'gemini-3.8-flash', contents: 'Why do dams have spillways?' };
  const pieces = await all(await ai.models.generateContentStream(asked));
  if (pieces.length < 2) throw new Error('the stream came in one piece');
  show(`${half} stream`, ...pieces);
  const atOnce = Array.from({ length: 5 }, (_, i) => ai.models.generateContent({ model, contents: `Question ${i}` }));
  show(`${half} five at once`, ...(await Promise.all(atOnce)).map((response) => response.text));

  const chat = ai.chats.create({ model });
  show(`${half} chat`, await chat.sendMessage({ message: 'Hello' }), await chat.sendMessage({ message: 'And again' }), ...chat.getHistory());
  show(`${half} count tokens`, await ai.models.countTokens({ model, contents: 'Hello, spillway' }));
  show(`${half} embeddings`, await ai.models.embedContent({ model: 'gemini-embedding-001', contents: ['dam', 'water'] }));

  // The file goes in chunks to an address that the first response names.
  const held = await ai.files.upload({ file: new Blob(['water '.repeat(100_000)]), config: { mimeType: 'text/plain' } });
  const used = await ai.models.generateContent({
    model,
    contents: ['What is in it?', createPartFromUri(held.uri, held.mimeType)],
  });
  show(`${half} file`, held, await ai.files.get({ name: held.name }), used, ...(await all(await ai.files.list())));
  show(`${half} file, deleted`, await ai.files.delete({ name: held.name }));

  const error = await ai.models.generateContent({ model: 'no-such-model', contents: 'Hello' }).catch((e) => e);
  if (!(error instanceof ApiError)) throw new Error('a model that does not exist has responded');
  show(`${half} error`, error.status, error.message);
}

// connect opens a Live session, whose turn sends a text and shows the messages of the model's turn.
async function connect() {
  let messages, ended, failed;
  const session = await ai.live.connect({
    model: live,
    callbacks: {
      onmessage(message) {
        if (message.setupComplete) return;
        messages.push(message);
        if (message.serverContent?.turnComplete) ended();
      },
      onclose: (event) => failed?.(new Error(`the session is closed: ${event.code} ${event.reason}`)),
    },
  });
  async function turn(name, text) {
    messages = [];
    const whole = new Promise((resolve, reject) => { [ended, failed] = [resolve, reject]; });
    session.sendClientContent({ turns: [{ role: 'user', parts: [{ text }] }] });
    await whole;
    show(name, ...messages);
  }
  return { turn, close: () => session.close() };
}

let session = await connect();
await session.turn('first live', 'Hello');
await calls('first');
show('middle', await ai.models.get({ model }));
await session.turn('second live, the same session', 'And again');
session.close();
session = await connect();
await session.turn('second live', 'Hello');
session.close();
await calls('second');
