// What a JavaScript service does with the official SDK through the sidecar. It knows only the address, and its token.
import { ApiError, createPartFromUri, GoogleGenAI } from '@google/genai';

const model = 'gemini-3.5-flash';
const ai = new GoogleGenAI({ apiKey: process.env.SPILLWAY_TOKEN, httpOptions: { baseUrl: process.env.SPILLWAY_URL } });

function check(what, good, got) {
  if (!good) throw new Error(`${what}: wrong: ${got}`);
  console.log(`${what}: ${got}`);
}

const endpoint = (response) => response.sdkHttpResponse.headers['spillway-endpoint'];

async function streamed(contents) {
  const pieces = [];
  for await (const piece of await ai.models.generateContentStream({ model, contents })) pieces.push(piece.text ?? '');
  return pieces;
}

let answer = await ai.models.generateContent({ model, contents: 'Why do dams have spillways?' });
check('generate', answer.text && endpoint(answer).startsWith('main/'), `${endpoint(answer)} says ${answer.text}`);

let pieces = await streamed('Why do dams have spillways?');
check('stream', pieces.length > 1 && pieces.join('') === answer.text, `${pieces.length} pieces, together the same`);

const chat = ai.chats.create({ model });
const first = await chat.sendMessage({ message: 'Hello' });
const second = await chat.sendMessage({ message: 'And again' });
const longer = second.usageMetadata.promptTokenCount > first.usageMetadata.promptTokenCount;
check('chat', longer && chat.getHistory().length === 4, `${chat.getHistory().length} contents`);

const tokens = await ai.models.countTokens({ model, contents: 'Hello, spillway' });
check('count tokens', tokens.totalTokens > 0, tokens.totalTokens);

const { embeddings } = await ai.models.embedContent({ model: 'gemini-embedding-001', contents: ['dam', 'water'] });
check('embed', embeddings.length === 2 && embeddings[0].values.length > 0, `${embeddings.length} vectors`);

// A file is sent in chunks to an address in the first response, which must be the sidecar's.
const held = await ai.files.upload({ file: new Blob(['water '.repeat(100_000)]), config: { mimeType: 'text/plain' } });
const seen = await ai.models.generateContent({
  model,
  contents: ['What is in it?', createPartFromUri(held.uri, held.mimeType)],
});
const listed = [];
for await (const file of await ai.files.list()) listed.push(file.name);
await ai.files.delete({ name: held.name });
check('file', held.sizeBytes === '600000' && seen.text && listed.includes(held.name), `${held.sizeBytes} bytes, sent, used, listed and deleted`);

const error = await ai.models.generateContent({ model: 'no-such-model', contents: 'Hello' }).catch((e) => e);
check('error', error instanceof ApiError && error.status === 404, `${error.name} ${error.status}`);

// The failover: the key used so far is revoked. All that changes here is the endpoint.
check('revoke', (await fetch(process.env.REVOKE_URL, { method: 'POST' })).ok, 'the key of main');
answer = await ai.models.generateContent({ model, contents: 'Are you still there?' });
check('generate, with the key revoked', answer.text && endpoint(answer).startsWith('spare/'), endpoint(answer));
pieces = await streamed('Are you still there?');
check('stream, with the key revoked', pieces.length > 1 && pieces.join('') === answer.text, `${pieces.length} pieces`);

const answers = await Promise.all(
  Array.from({ length: 5 }, (_, i) => ai.models.generateContent({ model, contents: `Question ${i}` })),
);
check('five at once', answers.every((a) => a.text), [...new Set(answers.map(endpoint))]);

// A Live session, to which the SDK opens a WebSocket at the same address. Python's needs wss, so TLS in front.
let heard = '';
let ended;
const whole = new Promise((resolve) => { ended = resolve; });
const session = await ai.live.connect({
  model: 'gemini-3.1-flash-live-preview',
  callbacks: {
    onmessage(message) {
      heard += message.text ?? '';
      if (message.usageMetadata) ended(message.usageMetadata.totalTokenCount);
    },
    onclose: (event) => ended(`closed with ${event.code} ${event.reason}`),
  },
});
session.sendClientContent({ turns: [{ role: 'user', parts: [{ text: 'Hello' }] }] });
const total = await whole;
session.close();
check('live', heard && total > 0, `${total} tokens`);
