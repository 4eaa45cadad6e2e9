# Stands for the servers of the python3 templates: Flask behind waitress.
from flask import Flask, request
from waitress import serve

app = Flask(__name__)


@app.route("/", methods=["POST"])
def answer():
    return request.get_data()


serve(app, host="0.0.0.0", port=5000)
