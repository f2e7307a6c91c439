// Owns the choice of the page's language, by the reader or by the browser. Must not know the texts.
import { languages, preferred, speak, type Language } from '../messages';
import { watchSetting } from '../platform/settings';
import { Setting } from './settings.svelte';

const codes = Object.keys(languages) as Language[];

class LanguageChoice {
  #setting = new Setting<Language | 'system'>('language', ['system', ...codes]);
  /** Changes when the page speaks another language, so everything with text is then built anew. */
  spoken = $state<Language | null>(null);
  /** The reader has just changed the language, so focus has to return to the control. */
  turned = false;

  constructor() {
    // Another tab has changed it. The focus stays where it is.
    watchSetting('language', () => {
      this.load().then(
        () => (this.turned = false),
        () => {},
      );
    });
  }

  get choice(): Language | 'system' {
    return this.#setting.value;
  }

  /** Loads the chosen language. Rejects when its file cannot be loaded; the language then stays as it was. */
  async load(choice = this.choice): Promise<void> {
    const language = choice === 'system' ? preferred(navigator.languages) : choice;
    await speak(language, navigator.languages);
    this.turned = this.spoken !== null && this.spoken !== language;
    this.spoken = language;
  }

  async set(choice: Language | 'system'): Promise<void> {
    await this.load(choice);
    this.#setting.set(choice);
  }
}

export const language = new LanguageChoice();
