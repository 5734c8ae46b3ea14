"""The pages: server-rendered, each with a stable URL and a JSON twin in the API."""
