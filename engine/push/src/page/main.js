// The page: figures above, below them clients to try the server with. Each module finds its own part.

import { watch } from './figures.js';
import './topics.js';
import './snippets.js';
import './raw.js';

watch();
