// The page: figures above, below them clients to try the server with. Each module finds its own part.

import { watch } from './figures.js';
import './topics.js';
import './snippets.js';
import './raw.js';

// Shown when it is whole, so that nothing moves below the reader's eyes.
document.querySelector('main').hidden = false;
watch();
