// Owns the choice between light, dark and the system's way. Must not know the colours.
import { loadTheme, saveTheme, type Theme } from '../platform/storage';

class ThemeChoice {
  choice = $state<Theme>(loadTheme());

  set(choice: Theme): void {
    this.choice = choice;
    saveTheme(choice);
  }
}

export const theme = new ThemeChoice();
