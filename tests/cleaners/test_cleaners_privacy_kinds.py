"""Every kind of personal data directly beside Chinese characters, and what must not be taken for it."""

from __future__ import annotations

import pytest

from fanwen.cleaners import privacy, rules


def found(text: str) -> list[tuple[str, str]]:
    return [(s.kind, text[s.begin : s.end]) for s in privacy.spans(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("联系电话13812345678欢迎来电", "phone", "13812345678"),
        ("手机号码是139 8765 4321。", "phone", "139 8765 4321"),
        ("手机159-8765-4321", "phone", "159-8765-4321"),
        ("电话+86 18812345678", "phone", "+86 18812345678"),
        ("拨打8618812345678", "phone", "8618812345678"),
        ("办公室0531-82345678。", "phone", "0531-82345678"),
        ("传真(010)62345678", "phone", "(010)62345678"),
        ("咨询电话：6234567", "phone", "6234567"),
        ("热线400-123-4567", "phone", "400-123-4567"),
        ("客服热线4001234567", "phone", "4001234567"),
        ("请打１３９１２３４５６７８", "phone", "１３９１２３４５６７８"),
        ("他的身份证号码为11010519491231002X，", "id_card", "11010519491231002X"),
        ("证件110105 19491231 002x", "id_card", "110105 19491231 002x"),
        ("旧证号：110105491231002", "id_card", "110105491231002"),
        (
            "身份证号：110105194912310021",
            "id_card",
            "110105194912310021",
        ),  # a wrong last digit behind its label
        ("工资卡6228480402564890018", "bank_card", "6228480402564890018"),
        ("卡号6228 4804 0256 4890 018", "bank_card", "6228 4804 0256 4890 018"),
        ("信用卡账号4392250012345673", "bank_card", "4392250012345673"),
        ("邮箱wang.x_1@mail.example.com.cn。", "email", "wang.x_1@mail.example.com.cn"),
        ("发到lx88＠example.com即可", "email", "lx88＠example.com"),
        ("QQ12345678", "qq", "12345678"),
        ("qq号码：987654321", "qq", "987654321"),
        ("加扣扣：44556677", "qq", "44556677"),
        ("QQ交流群号123456789", "qq", "123456789"),
        ("55667788（QQ）", "qq", "55667788"),
        ("微信号lan_2020x", "wechat", "lan_2020x"),
        ("微信：Ab-cd123", "wechat", "Ab-cd123"),
        ("加vx：hello_88", "wechat", "hello_88"),
        ("微信号：13812345678", "wechat", "13812345678"),
        ("车牌号鲁B12345的车", "plate", "鲁B12345"),
        ("车辆渝D·A8888停在", "plate", "渝D·A8888"),
        ("电动车粤AD12345", "plate", "粤AD12345"),
        ("挂车冀A1234挂", "plate", "冀A1234挂"),
        ("家住山谷市城关区和平路12号3栋201室。", "address", "山谷市城关区和平路12号3栋201室"),
        ("位于河口县建设街8号", "address", "河口县建设街8号"),
        ("电话0532-8877 6655转203", "phone", "0532-8877 6655转203"),
        ("请拨021 5566 7788", "phone", "021 5566 7788"),
        ("家住白沙镇杨树村3组15号", "address", "白沙镇杨树村3组15号"),
        ("现住明月花园6栋2单元301室，", "address", "明月花园6栋2单元301室"),
        ("加微信lan_2020即可", "wechat", "lan_2020"),
    ],
)
def test_found_beside_chinese_characters(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "2021年12月31日，山政发〔2021〕72号",
        "总投资13812345678元",
        "完成产值18612345678.5元，增长138.12%",
        "流水号：13812345678，订单号13912345678",
        "编号20210513812345678001",
        "拨打110、119、120，或市长热线12345，举报电话12388",
        "身份证号11010519491231002Y、110105194912310021",
        "卡号6228480402564890019",
        "1234567890123452只是一串数",
        "2019-2020-2021三个年度，2021-05-12",
        "QQ空间和微信朋友圈，微信公众号发布，微信支付2000元",
        "QQ群里有128人",
        "Windows10和iPhone13Pro发布",
        "京A级锦标赛，川B队，云A1区",
        "国道312号路段，省道205号",
        "人民路小学和解放街社区",
        "第12路公交车8号线",
        "第3村民小组15号文件，二组20人",
        "科技园3栋教学楼，实验楼2单元测验",
        "0812-2021年度，合计021 300元",
        "微信公众号和微信小程序开发",
        "联系电话138xxxx5678，139****8888",
        "邮箱@符号，a@b",
        "圆周率3.14159265358979",
    ],
)
def test_not_found(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("xx镇××村", ["xx", "××"]),
        ("20**年和20__年、20xx年", ["20**年", "20__年", "20xx年"]),
        ("二〇××年", ["二〇××年"]),
        ("[姓名]，来自[学校名称]", ["[姓名]", "[学校名称]"]),
        ("某某公司的王某和李某某", ["某某", "王某", "李某某"]),
        ("**镇人民政府", ["**"]),
        ("电话139****8888", ["139****8888"]),
        ("（请填写单位）", ["（请填写单位）"]),
        ("某些人，某种程度，某个地方", []),
        ("长5×宽3，XL号，Xbox，exxon，3*4", []),
        ("二○○五年五月", []),
        ("〔电话〕和〔人名1〕", []),
        ("各科室（单位）要落实", []),
    ],
)
def test_placeholders(text: str, marks: list[str]) -> None:
    assert [text[s.begin : s.end] for s in privacy.placeholders(text)] == marks
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("尊敬的高书记：您好！", ["高"]),
        ("居委会赵主任和金主任都来了", ["赵", "金"]),
        ("申请人：张　伟\n2020年", ["张　伟"]),
        ("申请人（签字）：张伟", ["张伟"]),
        ("组长：王建国（校长）\n成员：李红、 陈小兵 赵敏", ["王建国", "李红", "陈小兵", "赵敏"]),
        ("此致\n敬礼\n吴梦洁", ["吴梦洁"]),
        ("感谢大家。\n三年级二班　吴梦洁", ["吴梦洁"]),
        ("王强、李明、赵小红等三名同学受到表扬", ["王强", "李明", "赵小红"]),
        ("我叫欧阳晓兰，今年十岁", ["欧阳晓兰"]),
        ("李明生病住院，医生说李明要休息", ["李明", "李明"]),
        ("村民阿依古丽·买买提开了店", ["阿依古丽·买买提"]),
        ("我向雷锋同志学习，读鲁迅先生的书，听毛主席的话", []),
        ("老王和小刘走了", []),
        ("昨天，高春燕到村里看望大家", ["高春燕"]),
        ("我忘不了王秀兰那双手", ["王秀兰"]),
        ("以李建国为组长的专班成立了", ["李建国"]),
        ("我叫洪福来，今年十岁", ["洪福来"]),
        ("邻居家的豆豆哭了，豆豆才三岁", ["豆豆", "豆豆"]),
        ("饲养员庾大海和保育员水灵灵", ["庾大海", "水灵灵"]),
        ("学生程浩飞快地跑来", ["程浩"]),
        ("听了高校长的话，找到石书记", ["高", "石"]),
        ("领队：巴图", ["巴图"]),
        ("读《活着》，主人公徐福贵让我难忘，徐福贵活了下来。", []),
        ("航天员刘洋飞上太空", []),
        ("村民刘洋种下果树", ["刘洋"]),
        ("每分钟由122张提高到242张，3楼向东", []),
        ("职工动员大会在高新区举行，两者相关", []),
        ("莫州、范阳郡、仲宣楼都是古地名", []),
        ("车间林立，教师方法得当，关爱空巢老人", []),
        ("向老师问好，和同学商量，任主任期间，公司经理到场", []),
        ("学生成绩提高，居民安全有保障，教师严谨治学，村民高兴地说", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert [value for _, value in found(text)] == names


def test_a_known_name_is_found_everywhere_in_the_piece() -> None:
    text = "残疾人贺金山住在河边。昨天贺金山搬了家，大家帮贺金山搬了三趟。"
    assert found(text) == [("person", "贺金山")] * 3


def test_lines_and_time_grow_together() -> None:
    text = "村民李大山的电话13812345678，申请人：张伟，住在和平路12号，QQ：12345678。\n"
    assert len(privacy.spans(text * 400)) == 400 * 5


def test_the_lists_of_names_do_not_contradict_each_other() -> None:
    lists = {k: v.split() for section in rules.table("names.toml").values() for k, v in section.items()}
    assert not {key for key, words in lists.items() if len(set(words)) != len(words)}
    for one, other in (("plain", "doubtful"), ("plain", "rare"), ("doubtful", "rare")):
        assert not set(lists[one]) & set(lists[other])
    for key in ("plain", "doubtful", "rare", "strong", "plausible", "never", "doubled", "places_last"):
        assert not [word for word in lists[key] if len(word) != 1]
    for key in ("joins", "no_given", "no_role"):
        assert not [word for word in lists[key] if len(word) != 2]
    assert not set(lists["strong"]) & set(lists["plausible"] + lists["never"])
    assert set(lists["shared"]) - set(lists["names"]) == set()
