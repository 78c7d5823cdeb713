"""The commands of ``skelaug`` that belong to skelaug_contrib: a module each, imported when it is called."""
