# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Run by Qwen-Agent's own Python: an Assistant with the door's tools, on the model server that it is given; prints what it answers last."""

import json
import sys

from qwen_agent.agents import Assistant

door, token, model = sys.argv[1:]
tools = {"mcpServers": {"plant": {"type": "streamable-http", "url": door, "headers": {"Authorization": f"Bearer {token}"}}}}
llm = {"model": "scripted", "model_server": model, "api_key": "none", "generate_cfg": {"use_raw_api": False, "max_retries": 0}}
agent = Assistant(llm=llm, function_list=[tools])
*_, answer = agent.run([{"role": "user", "content": "How is the vibration at stand 4? Then lower the tension."}])
sys.stdout.write(json.dumps({"said": answer[-1]["content"], "tools": [one["name"] for one in answer if one["role"] == "function"]}) + "\n")
