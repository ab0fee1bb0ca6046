"""Serves the components to Pulumi programs in other languages: `pulumi package add <this directory>`."""

from tierstack.component_host import main_of_plugin

if __name__ == "__main__":
    main_of_plugin()
