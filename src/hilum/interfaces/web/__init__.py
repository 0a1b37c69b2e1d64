"""The pages a person sees in a browser: templates, static files, the viewer."""
