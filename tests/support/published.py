"""A few lines of each published data set, as published, odd ones among them: file name -> content."""

import gzip

MOVIELENS_1M = {
    "ratings.dat": b"1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n",
    "movies.dat": (
        "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n"
        "1193::City of Lost Children, The (Cité des enfants perdus, La) (1995)::Adventure|Sci-Fi\n"
        "9::::Drama\n"
    ).encode("latin-1"),
}
MOVIELENS_CSV = {
    "ratings.csv": b"userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n2,11,,1147868817\n",
    "movies.csv": b"movieId,title,genres\n"
    b'11,"American President, The (1995)",Comedy|Drama|Romance\n'
    b"296,Pulp Fiction (1994),Comedy|Crime\n"
    b"7,Babylon 5,(no genres listed)\n",
}
AMAZON_2014 = {
    "reviews_Books_5.json.gz": gzip.compress(
        b'{"reviewerID": "A10000012B7CGYKOMPQ4L", "asin": "000100039X", "reviewerName": "Adam", "helpful": [0, 0],'
        b' "reviewText": "Spiritually \\"uplifting\\"", "overall": 5.0, "summary": "x", "unixReviewTime": 1355616000}\n'
        b'{"reviewerID": "A2S166WSCFIFP5", "asin": "0002051850", "unixReviewTime": 1071100800}\n'
    ),
    "meta_Books.json.gz": gzip.compress(
        b"{'asin': '000100039X', 'categories': [['Books', 'Poetry'], ['Gifts']], 'title': 'The Prophet &amp; more',"
        b" 'price': 9.99}\n{'asin': '0009999999', 'title': 'Never reviewed'}\n"
    ),
}
AMAZON_2018 = {
    "Gift_Cards.json": b'{"overall": 1.0, "vote": "25", "verified": false, "reviewTime": "12 19, 2008", "reviewerID":'
    b' "APV13CM0919JD", "asin": "B001GXRQW0", "style": {"Gift Amount:": " 50"}, "unixReviewTime": 1229644800}\n',
    "meta_Gift_Cards.json": b'{"category": ["Gift Cards", "Gift Cards"], "description": ["A card", ""],'
    b' "title": "Card", "brand": "Amazon", "price": "$25.00", "asin": "B001GXRQW0"}\n',
}
AMAZON_2023 = {
    "All_Beauty.jsonl": b'{"rating": 5.0, "title": "Such", "text": "t", "images": [], "asin": "B00YQ6X8EO",'
    b' "parent_asin": "B00YQ6X8EQ",'
    b' "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923}\n',
    "meta_All_Beauty.jsonl": b'{"main_category": "All Beauty", "title": "Howard LC0008", "features": [],'
    b' "description": [], "price": null, "store": "Howard Products", "categories": [],'
    b' "details": {}, "parent_asin": "B00YQ6X8EQ"}\n',
}
RETAILROCKET = {
    "events.csv": b"timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
    b"1433221999827,257597,addtocart,248676,\n1433222276276,599528,transaction,356475,4000\n",
    "item_properties_part1.csv": b"timestamp,itemid,property,value\n1435460400000,355908,categoryid,1016\n"
    b"1431226800000,355908,790,n552.000 639502 n720.000\n1433041200000,248676,790,n39.996\n",
    "item_properties_part2.csv": b"timestamp,itemid,property,value\n1431226800000,355908,categoryid,1\n"
    b"1433041200000,1,categoryid,213\n1433041200000,355908,888,1116713 960601 n277.200\n",
    "category_tree.csv": b"categoryid,parentid\n1016,213\n213,\n",
}
YOOCHOOSE = {
    "yoochoose-clicks.dat": b"1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T10:54:09.868Z,214536500,S\n",
    "yoochoose-buys.dat": b"1,2014-04-07T10:52:00.000Z,214536502,12462,2\n",
}
OTTO = {
    "train.jsonl": b'{"session": 0, "events": [{"aid": 1517085, "ts": 1659304800025, "type": "clicks"},'
    b' {"aid": 1563459, "ts": 1659304904511, "type": "carts"}]}\n'
    b'{"session": 5, "events": [{"aid": 1517085, "ts": 1659304900000, "type": "orders"}]}\n'
}
DIGINETICA = {
    "train-item-views.csv": b"sessionId;userId;itemId;timeframe;eventdate\n1;NA;81766;526309;2016-05-09\n"
    b"1;NA;31331;1031018;2016-05-09\n",
    "train-purchases.csv": b"sessionId;userId;timeframe;eventdate;ordernumber;itemId\n"
    b"1;NA;1100000;2016-05-09;8;31331\n",
    "products.csv": b"itemId;pricelog2;product.name.tokens\n81766;10;4875,776,56689\n9;2;1\n",
    "product-categories.csv": b"itemId;categoryId\n31331;1096\n",
}
RECBOLE = {
    "hub.inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n"
    b"186\t302\t\t881250940.0\n",
    "hub.item": b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    b'242\tKolya "the boy"\t1996\tComedy War\n9\tNever rated\t\t\n',
}
